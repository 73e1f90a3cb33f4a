"""Judging readings by what was kept of their meter before: marks are added, nothing is dropped or changed."""
