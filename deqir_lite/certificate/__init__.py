"""What a chapter claims, measured: claims, their certificate, and all chapters merged."""

from deqir_lite.certificate.certificate import FOLDER_VARIABLE, Certificate
from deqir_lite.certificate.claim import Claim
from deqir_lite.certificate.merged import MergedCertificates, merge

__all__ = ["FOLDER_VARIABLE", "Certificate", "Claim", "MergedCertificates", "merge"]
