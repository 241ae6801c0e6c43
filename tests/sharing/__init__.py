"""One index in other people's programs: threads, forks, other processes, another working directory."""
