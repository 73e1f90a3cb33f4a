"""What was not collected, and whose business it is: alarms and work items out of what the journal holds."""
