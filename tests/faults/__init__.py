"""Files that are damaged, disks that are full, folders that cannot be written."""
