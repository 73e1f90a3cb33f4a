"""The works of a meter, whatever it speaks: what it measures, its clock, and what it keeps."""
