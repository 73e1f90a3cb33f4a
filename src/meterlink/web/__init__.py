"""Where billing pulls: freezes, consumption, sealed days and completeness over HTTP."""
