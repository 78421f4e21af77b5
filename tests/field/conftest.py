# SPDX-License-Identifier: GPL-2.0-or-later
"""As the system tests, whose fixtures these are."""
import importlib.util
import pathlib
import sys

SYSTEM = pathlib.Path(__file__).parents[1] / "system"
sys.path.insert(0, str(SYSTEM))
spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
system = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system)

pytest_configure = system.pytest_configure
room_for_one_or_many = system.room_for_one_or_many
spawn = system.spawn
