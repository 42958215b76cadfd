#include "COpenSSL.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

bool copenssl_sha1(const void *bytes, size_t count, uint8_t *digest) {
    // Without this libcrypto reads its configuration file at its first use.
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1
        && EVP_Digest(bytes, count, digest, NULL, EVP_sha1(), NULL) == 1;
}
