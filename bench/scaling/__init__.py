"""The parts of bench/scale.py: what large projects, switched branches, cold projects and moved folders cost.

Must not be imported by anything but `bench/`.
"""
