"""What a site is asked about images and cases that wait, and what its people answer.

Owns: questions, answers.
"""
