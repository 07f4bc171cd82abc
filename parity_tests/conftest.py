"""The surroundings of tests/, also where parity_tests/ is run alone."""

from surroundings import prepare

prepare()
