#include "CLinux.h"
#include <netdb.h>
#include <string.h>

const char *clinux_error(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

const char *clinux_lookup_error(int code) { return gai_strerror(code); }
