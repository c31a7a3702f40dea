"""Hosts alone, and under the same three limits through this library."""
