"""Looking around among the files of one host, for a person who waits: over SFTP, with nothing kept."""
