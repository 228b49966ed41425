"""Attributes that are searched by: their tags, value representations, and the level of the hierarchy that they describe."""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal

from pydicom.datadict import dictionary_VR, tag_for_keyword

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
LEVELS: Final[tuple[Level, ...]] = ("PATIENT", "STUDY", "SERIES", "IMAGE")

OF_DOORS: Final = frozenset({"00080005", "00080052", "00080054", "00080056", "00081190", "00880130", "00880140"})
"""What a door says of its own answers: never matched on, and never looked for in images."""

_TAG = re.compile(r"[0-9A-Fa-f]{8}")

# PS3.3 A.1.2.1 and A.1.2.2: the modules of the patient and study entities; PS3.4 C.3.4 and C.6.1.1 for what only queries have.
_PATIENT = """
    PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID PatientBirthDate PatientBirthTime
    PatientSex OtherPatientIDs OtherPatientIDsSequence OtherPatientNames PatientBirthName PatientMotherBirthName EthnicGroup
    EthnicGroupCodeSequence PatientComments PatientAddress PatientTelephoneNumbers PatientReligiousPreference
    MilitaryRank BranchOfService CountryOfResidence RegionOfResidence ReferencedPatientSequence ReferencedPatientPhotoSequence
    QualityControlSubject StrainDescription StrainNomenclature StrainCodeSequence PatientSpeciesDescription PatientSpeciesCodeSequence
    PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole
    ResponsibleOrganization PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence
    SourcePatientGroupIdentificationSequence GroupOfPatientsIdentificationSequence PatientBirthDateInAlternativeCalendar
    PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar PatientPrimaryLanguageCodeSequence ClinicalTrialSponsorName
    ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID
    ClinicalTrialSubjectReadingID NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances
"""
_STUDY = """
    StudyInstanceUID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence StudyID StudyDescription
    ReferringPhysicianName ReferringPhysicianIdentificationSequence ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
    ConsultingPhysicianName ConsultingPhysicianIdentificationSequence PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
    NameOfPhysiciansReadingStudy PhysiciansReadingStudyIdentificationSequence RequestingService RequestingServiceCodeSequence
    RequestingPhysician ReferencedStudySequence ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence
    AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight PatientBodyMassIndex
    PatientSizeCodeSequence MeasuredAPDimension MeasuredLateralDimension MedicalAlerts Allergies SmokingStatus PregnancyStatus
    LastMenstrualDate PatientState Occupation AdditionalPatientHistory AdmissionID IssuerOfAdmissionIDSequence
    ServiceEpisodeID IssuerOfServiceEpisodeIDSequence ServiceEpisodeDescription PatientSexNeutered SpecialNeeds
    CurrentPatientLocation PatientInstitutionResidence VisitComments ClinicalTrialTimePointID ClinicalTrialTimePointDescription
    ConsentForClinicalTrialUseSequence ModalitiesInStudy SOPClassesInStudy AnatomicRegionsInStudyCodeSequence
    NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances TimezoneOffsetFromUTC InstanceAvailability RetrieveAETitle RetrieveURL
    StorageMediaFileSetID StorageMediaFileSetUID SpecificCharacterSet
"""
_SERIES = """
    SeriesInstanceUID Modality SeriesNumber SeriesDate SeriesTime SeriesDescription SeriesDescriptionCodeSequence ProtocolName
    BodyPartExamined Laterality PatientPosition AnatomicalOrientationType PerformingPhysicianName
    PerformingPhysicianIdentificationSequence OperatorsName OperatorIdentificationSequence PerformedProcedureStepID
    PerformedProcedureStepStartDate PerformedProcedureStepStartTime PerformedProcedureStepEndDate PerformedProcedureStepEndTime
    PerformedProcedureStepDescription PerformedProtocolCodeSequence CommentsOnThePerformedProcedureStep
    ReferencedPerformedProcedureStepSequence RequestAttributesSequence RelatedSeriesSequence SmallestPixelValueInSeries
    LargestPixelValueInSeries Manufacturer ManufacturerModelName InstitutionName InstitutionAddress InstitutionCodeSequence
    InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence StationName DeviceSerialNumber SoftwareVersions GantryID
    DeviceUID SpatialResolution DateOfLastCalibration TimeOfLastCalibration FrameOfReferenceUID PositionReferenceIndicator
    ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID ClinicalTrialSeriesDescription TreatmentSessionUID
    NumberOfSeriesRelatedInstances
"""


def _tags(names: str) -> frozenset[str]:
    found = [tag_for_keyword(name) for name in names.split()]
    return frozenset(f"{tag:08X}" for tag in found if tag is not None)


_LEVEL_OF: Final[dict[str, Level]] = {
    **dict.fromkeys(_tags(_PATIENT), "PATIENT"),
    **dict.fromkeys(_tags(_STUDY), "STUDY"),
    **dict.fromkeys(_tags(_SERIES), "SERIES"),
}


def tag_of(name: str) -> str:
    """The tag (eight upper-case hex digits) of a keyword or tag; empty if it is neither."""
    if _TAG.fullmatch(name):
        return name.upper()
    tag = tag_for_keyword(name) if name else None  # the dictionary has entries without a keyword
    return f"{tag:08X}" if tag is not None else ""


def level_of(tag: str) -> Level:
    """The level that an attribute describes; what is not of the patient, study or series is of the instance."""
    return _LEVEL_OF.get(tag, "IMAGE")


def is_at_or_above(tag: str, level: Level) -> bool:
    """Whether an attribute belongs to `level` or one above it, so that a search there may use it (PS3.4 C.4.1.2.2)."""
    return LEVELS.index(level_of(tag)) <= LEVELS.index(level)


@cache
def vr_of(tag: str) -> str:
    """The value representation (PS3.6); empty for private and unknown attributes. The first of a choice."""
    try:
        return dictionary_VR(int(tag, 16)).split(" or ")[0]
    except KeyError:
        return ""
