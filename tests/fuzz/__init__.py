"""Documents of any type and files changed at random: only errors of ours, nothing damaged that was sound."""
