"""What the fields of a segment are called, by HL7 v2.5.1 (chapters 2, 3, 4, 6, 7, 9) and IHE RAD TF-2 4.4 (ZDS). For showing only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TABLE = """
MSH Message Header|Field Separator|Encoding Characters|Sending Application|Sending Facility|Receiving Application
    |Receiving Facility|Date/Time of Message|Security|Message Type|Message Control ID|Processing ID|Version ID|Sequence Number
    |Continuation Pointer|Accept Acknowledgment Type|Application Acknowledgment Type|Country Code|Character Set
    |Principal Language|Alternate Character Set Handling|Message Profile Identifier
MSA Message Acknowledgment|Acknowledgment Code|Message Control ID|Text Message|Expected Sequence Number||Error Condition
ERR Error|Error Code and Location|Error Location|HL7 Error Code|Severity|Application Error Code|Application Error Parameter
    |Diagnostic Information|User Message|Inform Person Indicator|Override Type|Override Reason Code|Help Desk Contact Point
EVN Event Type|Event Type Code|Recorded Date/Time|Date/Time Planned Event|Event Reason Code|Operator ID|Event Occurred
    |Event Facility
PID Patient Identification|Set ID|Patient ID|Patient Identifier List|Alternate Patient ID|Patient Name|Mother's Maiden Name
    |Date/Time of Birth|Administrative Sex|Patient Alias|Race|Patient Address|County Code|Phone Number - Home
    |Phone Number - Business|Primary Language|Marital Status|Religion|Patient Account Number|SSN Number|Driver's License Number
    |Mother's Identifier|Ethnic Group|Birth Place|Multiple Birth Indicator|Birth Order|Citizenship|Veterans Military Status
    |Nationality|Patient Death Date and Time|Patient Death Indicator|Identity Unknown Indicator|Identity Reliability Code
    |Last Update Date/Time|Last Update Facility|Species Code|Breed Code|Strain|Production Class Code|Tribal Citizenship
PD1 Additional Demographics|Living Dependency|Living Arrangement|Patient Primary Facility|Patient Primary Care Provider
    |Student Indicator|Handicap|Living Will Code|Organ Donor Code|Separate Bill|Duplicate Patient|Publicity Code
    |Protection Indicator
MRG Merge Patient Information|Prior Patient Identifier List|Prior Alternate Patient ID|Prior Patient Account Number
    |Prior Patient ID|Prior Visit Number|Prior Alternate Visit ID|Prior Patient Name
NK1 Next of Kin|Set ID|Name|Relationship|Address|Phone Number|Business Phone Number|Contact Role|Start Date|End Date
GT1 Guarantor|Set ID|Guarantor Number|Guarantor Name|Guarantor Spouse Name|Guarantor Address|Guarantor Phone - Home
    |Guarantor Phone - Business|Guarantor Date/Time of Birth|Guarantor Administrative Sex|Guarantor Type|Guarantor Relationship
    |Guarantor SSN
IN1 Insurance|Set ID|Insurance Plan ID|Insurance Company ID|Insurance Company Name|Insurance Company Address
    |Insurance Contact Person|Insurance Phone Number|Group Number|Group Name|Insured's Group Employer ID
    |Insured's Group Employer Name|Plan Effective Date|Plan Expiration Date|Authorization Information|Plan Type|Name of Insured
    |Insured's Relationship to Patient|Insured's Date of Birth|Insured's Address
PV1 Patient Visit|Set ID|Patient Class|Assigned Patient Location|Admission Type|Preadmit Number|Prior Patient Location
    |Attending Doctor|Referring Doctor|Consulting Doctor|Hospital Service|Temporary Location|Preadmit Test Indicator
    |Re-admission Indicator|Admit Source|Ambulatory Status|VIP Indicator|Admitting Doctor|Patient Type|Visit Number
    |Financial Class
PV2 Patient Visit - Additional|Prior Pending Location|Accommodation Code|Admit Reason|Transfer Reason
AL1 Allergy|Set ID|Allergen Type Code|Allergen Code|Allergy Severity Code|Allergy Reaction Code|Identification Date
DG1 Diagnosis|Set ID|Diagnosis Coding Method|Diagnosis Code|Diagnosis Description|Diagnosis Date/Time|Diagnosis Type
ORC Common Order|Order Control|Placer Order Number|Filler Order Number|Placer Group Number|Order Status|Response Flag
    |Quantity/Timing|Parent|Date/Time of Transaction|Entered By|Verified By|Ordering Provider|Enterer's Location
    |Call Back Phone Number|Order Effective Date/Time|Order Control Code Reason|Entering Organization|Entering Device|Action By
    |Advanced Beneficiary Notice Code|Ordering Facility Name|Ordering Facility Address|Ordering Facility Phone Number
    |Ordering Provider Address|Order Status Modifier
OBR Observation Request|Set ID|Placer Order Number|Filler Order Number|Universal Service Identifier|Priority|Requested Date/Time
    |Observation Date/Time|Observation End Date/Time|Collection Volume|Collector Identifier|Specimen Action Code|Danger Code
    |Relevant Clinical Information|Specimen Received Date/Time|Specimen Source|Ordering Provider|Order Callback Phone Number
    |Placer Field 1|Placer Field 2|Filler Field 1|Filler Field 2|Results Report/Status Change Date/Time|Charge to Practice
    |Diagnostic Service Section ID|Result Status|Parent Result|Quantity/Timing|Result Copies To|Parent|Transportation Mode
    |Reason for Study|Principal Result Interpreter|Assistant Result Interpreter|Technician|Transcriptionist|Scheduled Date/Time
    |Number of Sample Containers|Transport Logistics|Collector's Comment|Transport Arrangement Responsibility|Transport Arranged
    |Escort Required|Planned Patient Transport Comment|Procedure Code|Procedure Code Modifier
    |Placer Supplemental Service Information|Filler Supplemental Service Information
TQ1 Timing/Quantity|Set ID|Quantity|Repeat Pattern|Explicit Time|Relative Time and Units|Service Duration|Start Date/Time
    |End Date/Time|Priority|Condition Text|Text Instruction
OBX Observation/Result|Set ID|Value Type|Observation Identifier|Observation Sub-ID|Observation Value|Units|References Range
    |Abnormal Flags|Probability|Nature of Abnormal Test|Observation Result Status|Effective Date of Reference Range
    |User Defined Access Checks|Date/Time of the Observation|Producer's ID|Responsible Observer|Observation Method
    |Equipment Instance Identifier|Date/Time of the Analysis
NTE Notes and Comments|Set ID|Source of Comment|Comment|Comment Type
IPC Imaging Procedure Control|Accession Identifier|Requested Procedure ID|Study Instance UID|Scheduled Procedure Step ID
    |Modality|Protocol Code|Scheduled Station Name|Scheduled Procedure Step Location|Scheduled Station AE Title
TXA Transcription Document Header|Set ID|Document Type|Document Content Presentation|Activity Date/Time
    |Primary Activity Provider|Origination Date/Time|Transcription Date/Time|Edit Date/Time|Originator
    |Assigned Document Authenticator|Transcriptionist|Unique Document Number|Parent Document Number|Placer Order Number
    |Filler Order Number|Unique Document File Name|Document Completion Status|Document Confidentiality Status
    |Document Availability Status|Document Storage Status|Document Change Reason|Authentication Person, Time Stamp
    |Distributed Copies
ZDS Study (IHE)|Study Instance UID
BHS Batch Header|Field Separator|Encoding Characters|Sending Application|Sending Facility|Receiving Application
    |Receiving Facility|Creation Date/Time|Security|Name/ID/Type|Comment|Control ID|Reference Control ID
BTS Batch Trailer|Message Count|Comment|Totals
FHS File Header|Field Separator|Encoding Characters|Sending Application|Sending Facility|Receiving Application
    |Receiving Facility|Creation Date/Time|Security|Name/ID|Header Comment|Control ID|Reference Control ID
FTS File Trailer|Batch Count|Trailer Comment
SFT Software|Vendor Organization|Certified Version|Product Name|Binary ID|Product Information|Install Date
"""


def _read(table: str) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for line in table.strip().replace("\n    |", "|").splitlines():
        head, *fields = line.split("|")
        found[head[:3]] = (head[4:], tuple(fields))
    return found


_SEGMENTS: Final = _read(_TABLE)


def segment_title(segment: str) -> str | None:
    """What `PID` is called; None where it is not known here."""
    return _SEGMENTS[segment][0] if segment in _SEGMENTS else None


def field_name(segment: str, number: int) -> str | None:
    """What field `number` (from 1) of a segment is called; None where it is not known here."""
    fields = _SEGMENTS[segment][1] if segment in _SEGMENTS else ()
    return fields[number - 1] or None if 0 < number <= len(fields) else None
