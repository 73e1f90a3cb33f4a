"""What to read when: plans, the tasks that carry them out, and their retries."""
