# cmake -DSOURCE=… -DOUTPUT=… -DPARITYLAB_VERSION=… -P version.cmake: names the commit that is being built.
set(PARITYLAB_COMMIT "")
find_program(git git)
if(git AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND ${git} -C "${SOURCE}" describe --always --dirty --abbrev=12 --match= --exclude=*
                  OUTPUT_VARIABLE PARITYLAB_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
configure_file("${SOURCE}/cli/version.cpp.in" "${OUTPUT}" @ONLY)
