"""The object model as data: descriptors <-> items with values and units; requests for what billing reads."""
