"""A loaded network: its module, state, copies, identity and inputs."""
