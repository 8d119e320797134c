# Everything that is built and run for tests only. Every test_*.c is a program and a test of its own: those of
# spec/c/windows for Windows, those of spec/c for Linux, and those of them that need of the system no more than spec/c/linux
# and spec/c/windows have by the same names for both.
set(test_environment "RSM_BUILD=${PROJECT_BINARY_DIR}" "RSM_SOURCE=${PROJECT_SOURCE_DIR}"
  "UBSAN_OPTIONS=print_stacktrace=1")
set(scan_proc "RSM_SCAN=proc") # which way a listing takes would depend on how many listings came before

function(rsm_add_test name)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 ENVIRONMENT "${test_environment};${scan_proc}")
  if(RSM_ONE_STORE)
    set_property(TEST ${name} APPEND PROPERTY RESOURCE_LOCK store)
  endif()
endfunction()

# A test that is a program of ours; its sources see the system's halves of spec/c, and the rest of it.
function(rsm_add_test_program name source)
  add_executable(${name} "${source}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec")
  target_link_libraries(${name} PRIVATE rsm rsm_flags)
  target_compile_options(${name} PRIVATE "SHELL:-iquote \"${PROJECT_SOURCE_DIR}/spec/c/${RSM_OS}\""
    "SHELL:-iquote \"${PROJECT_SOURCE_DIR}/spec/c\"")
  if(name IN_LIST RSM_ALONE)
    rsm_add_test(${name} ${RSM_ALONE_BY} $<TARGET_FILE:${name}>)
  else()
    rsm_add_test(${name} ${name})
  endif()
endfunction()

function(rsm_add_test_programs)
  foreach(source IN LISTS ARGN)
    get_filename_component(name "${source}" NAME_WE)
    rsm_add_test_program(${name} "${source}")
  endforeach()
endfunction()

# These bring an interpreter of their own, where the others need none.
function(rsm_add_lua_programs)
  foreach(name IN LISTS ARGN)
    rsm_add_test_program(${name} spec/c/${name}.c)
    target_include_directories(${name} SYSTEM PRIVATE "${LUA_INCDIR}")
    target_link_libraries(${name} PRIVATE "${LUA_LIBRARY}")
    add_dependencies(${name} restartmanager_core)
  endforeach()
endfunction()

include(cmake/tests_${RSM_OS}.cmake)

# The public header alone, as strict C99 and as C++.
set(header "${PROJECT_SOURCE_DIR}/src/rsm.h")
set(strict -pedantic -Wall -Wextra -Werror -fsyntax-only)
rsm_add_test(header_c99 ${CMAKE_C_COMPILER} -std=c99 ${strict} -x c "${header}")
find_program(RSM_CXX NAMES g++ clang++)
if(RSM_CXX)
  rsm_add_test(header_cxx ${RSM_CXX} -std=c++11 ${strict} -x c++ "${header}")
endif()

# Another Lua's headers, found first, are refused.
file(WRITE "${PROJECT_BINARY_DIR}/another-lua/lua.h" "#define LUA_VERSION_NUM 505\n")
rsm_add_test(refuses_another_lua ${CMAKE_COMMAND} -G ${CMAKE_GENERATOR} -S . -B "${PROJECT_BINARY_DIR}/another-lua/build"
  -DCMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE} -DLUA_INCDIR=${PROJECT_BINARY_DIR}/another-lua)
set_tests_properties(refuses_another_lua PROPERTIES PASS_REGULAR_EXPRESSION "another[ \n]+Lua's[ \n]+than[ \n]+5\\.4")

# What these look at they find through a shell.
find_program(RSM_LUA NAMES lua5.4 lua54 lua)
if(RSM_LUA AND CMAKE_HOST_UNIX)
  rsm_add_test(layers ${RSM_LUA} tools/check-layers)
  rsm_add_test(layers_self_test ${RSM_LUA} tools/check-layers --self-test)
  rsm_add_test(bpf_header ${RSM_LUA} tools/bpf-header --check)
endif()
