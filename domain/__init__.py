"""What a section, an observation, a change and a watch are. Pure: standard library only."""
