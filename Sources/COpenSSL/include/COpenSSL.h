// OpenSSL's libcrypto, as much of it as is used: what fails answers false.
#ifndef COPENSSL_H
#define COPENSSL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// SHA-1 into 20 bytes: for WebSocket's handshake, which proves nothing secret with it.
bool copenssl_sha1(const void *bytes, size_t count, uint8_t *digest);
#endif
