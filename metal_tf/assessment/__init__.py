"""What a trained policy is worth: episodes without noise, intervals, a film."""
