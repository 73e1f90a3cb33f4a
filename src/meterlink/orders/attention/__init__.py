"""What waits for a person: work items, alarms, and how people answer them."""
