#include "COpenSSL.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/// libcrypto reads its configuration file at its first use, unless it is told not to: a digest is to depend on nothing
/// but its input. Calls after the first one cost nothing.
static bool prepared(void) {
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
}

bool copenssl_sha256(const void *bytes, size_t count, uint8_t *digest) {
    return prepared() && EVP_Digest(bytes, count, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool copenssl_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, uint8_t *digest) {
    if (key_count > INT_MAX || !prepared()) return false;
    // Without a key at all HMAC would go on with the one of the call before.
    const void *given = key_count > 0 ? key : "";
    return HMAC(EVP_sha256(), given, (int)key_count, bytes, count, digest, NULL) != NULL;
}

bool copenssl_pbkdf2_sha256(
    const void *password, size_t password_count, const void *salt, size_t salt_count, int iterations,
    uint8_t *key) {
    if (password_count > INT_MAX || salt_count > INT_MAX || !prepared()) return false;
    return PKCS5_PBKDF2_HMAC(
               password, (int)password_count, salt, (int)salt_count, iterations, EVP_sha256(), 32, key) == 1;
}

bool copenssl_sha512(
    const void *first, size_t first_count, const void *second, size_t second_count, uint8_t *digest) {
    EVP_MD_CTX *context = prepared() ? EVP_MD_CTX_new() : NULL;
    bool is_done = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1
        && EVP_DigestUpdate(context, first, first_count) == 1 && EVP_DigestUpdate(context, second, second_count) == 1
        && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done;
}

bool copenssl_pbkdf2_sha512(
    const void *password, size_t password_count, const void *salt, size_t salt_count, int iterations,
    uint8_t *key) {
    if (password_count > INT_MAX || salt_count > INT_MAX || !prepared()) return false;
    return PKCS5_PBKDF2_HMAC(
               password, (int)password_count, salt, (int)salt_count, iterations, EVP_sha512(), 64, key) == 1;
}

bool copenssl_equal(const void *left, const void *right, size_t count) {
    return CRYPTO_memcmp(left, right, count) == 0;
}
