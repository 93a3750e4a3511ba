"""What an update would do: its changes, why they come, and what they mean for those who use the stack."""
