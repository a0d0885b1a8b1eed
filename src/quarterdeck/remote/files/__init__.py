"""Files of hosts over SFTP on a warm connection: `pushing`, `pulling`, and `browsing` for who looks around.

As another user there is no SFTP: sudo's password cannot be given to a subsystem. Then commands read and place the
files, and what is to be placed waits in a directory of the account that signed in.
"""
