# The tests of Windows: natively, or under Wine by tools/in-wine, where all share a user's folder of sessions.
set(RSM_ONE_STORE ON)

file(GLOB test_sources CONFIGURE_DEPENDS spec/c/windows/test_*.c)
rsm_add_test_programs(${test_sources} spec/c/test_core_base.c spec/c/test_core_lists.c spec/c/test_plan.c)

