"""What several protocols share: packed BCD and checksums."""
