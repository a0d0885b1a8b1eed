"""Ansible as a process of its own: what it is given, how it is run, and what its events say of each host.

Ansible is GPL-3 and is never imported into a process of ours: `remote.local` starts `helper`, the helper starts
ansible-runner, that one ansible-playbook.
"""
