"""What a chapter claims, measured: claims and their certificate."""

from deqir_lite.certificate.certificate import FOLDER_VARIABLE, Certificate
from deqir_lite.certificate.claim import Claim

__all__ = ["FOLDER_VARIABLE", "Certificate", "Claim"]
