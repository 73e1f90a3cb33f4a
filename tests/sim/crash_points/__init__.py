"""Orders killed at every point of their way, judged by the log and the meters' own memories alone."""
