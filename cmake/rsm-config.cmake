# find_package(rsm) gives the target rsm::rsm.
if(NOT WIN32)
  include(CMakeFindDependencyMacro)
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_dependency(Threads)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/rsm-targets.cmake")
