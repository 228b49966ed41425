"""What is known and kept: sites, people, agreements, patients, images."""
