"""Smart-meter data acquisition: from the line through a journal and MQTT to the time-series database."""
