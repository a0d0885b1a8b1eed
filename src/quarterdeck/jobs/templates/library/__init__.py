"""Templates that come with the product, a YAML file each."""
