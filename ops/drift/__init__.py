"""What of a stack is not as it was deployed: told, and put back."""
