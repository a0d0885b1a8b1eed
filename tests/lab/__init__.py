"""Real servers, hosts and clients that tests start on free ports and in directories of their own."""
