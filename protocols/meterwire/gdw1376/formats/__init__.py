"""Data formats A.1 to A.27: numbers and times in BCD, one a row of ``rows/formats.csv``."""
