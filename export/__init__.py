"""Offline tools of forge_rt: model definitions, readers, graphs, verification and the ForgeHead builder."""
