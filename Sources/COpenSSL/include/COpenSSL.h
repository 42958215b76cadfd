// OpenSSL's libcrypto and libssl (secure.h), as much of them as is used: what fails answers false.
#ifndef COPENSSL_H
#define COPENSSL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secure.h"

/// SHA-1 into 20 bytes: for WebSocket's handshake, which proves nothing secret with it.
bool copenssl_sha1(const void *bytes, size_t count, uint8_t *digest);
/// SHA-256 into 32 bytes.
bool copenssl_sha256(const void *bytes, size_t count, uint8_t *digest);
/// HMAC-SHA-256 (RFC 2104) into 32 bytes.
bool copenssl_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, uint8_t *digest);
/// PBKDF2 with HMAC-SHA-256 (RFC 8018): the first 32 bytes.
bool copenssl_pbkdf2_sha256(
    const void *password, size_t password_count, const void *salt, size_t salt_count, int iterations,
    uint8_t *key);
/// SHA-512 of two areas, one behind the other, into 64 bytes.
bool copenssl_sha512(
    const void *first, size_t first_count, const void *second, size_t second_count, uint8_t *digest);
/// PBKDF2 with HMAC-SHA-512 (RFC 8018): the first 64 bytes.
bool copenssl_pbkdf2_sha512(
    const void *password, size_t password_count, const void *salt, size_t salt_count, int iterations,
    uint8_t *key);
/// Whether two areas are the same, in a time that depends on `count` alone.
bool copenssl_equal(const void *left, const void *right, size_t count);
#endif
