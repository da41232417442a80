# The linker does not warn when something that loads the image's code (NSS, gconv) is linked in. So look.
execute_process(COMMAND ${NM} --defined-only ${EXECUTABLE} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nm ${EXECUTABLE} failed")
endif()
string(REGEX MATCHALL "[^\n]* (getaddrinfo|getnameinfo|getpw[a-z_]*|getgr(nam|gid|ent|list|ouplist)[a-z_]*|getserv[a-z_]*|gethost[a-z]*by[a-z_]*|__nss_module_load|iconv_open)\n"
       found "${symbols}")
if(found)
  file(REMOVE ${EXECUTABLE})
  message(FATAL_ERROR "must not be in the toolbox:\n${found}")
endif()
