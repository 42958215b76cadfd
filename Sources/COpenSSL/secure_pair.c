#include "secure.h"

#include <limits.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct copenssl_pair {
    X509 *certificate;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
};

/// Nobody is asked for a passphrase: a server that starts alone would wait for it for ever.
static int no_passphrase(char *buffer, int size, int writing, void *was_asked) {
    (void)buffer;
    (void)size;
    (void)writing;
    if (was_asked != NULL) *(bool *)was_asked = true;
    return -1;
}

static BIO *reader(const void *pem, size_t count) {
    return count > INT_MAX ? NULL : BIO_new_mem_buf(count > 0 ? pem : "", (int)count);
}

static bool read_chain(copenssl_pair *pair, const void *pem, size_t count) {
    BIO *bio = reader(pem, count);
    if (bio == NULL) return false;
    pair->certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    pair->chain = sk_X509_new_null();
    bool is_fine = pair->certificate != NULL && pair->chain != NULL;
    while (is_fine) {
        X509 *next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (next == NULL) break;
        is_fine = sk_X509_push(pair->chain, next) > 0;
        if (!is_fine) X509_free(next);
    }
    // The end of the file is the only end that is none of a fault.
    unsigned long last = ERR_peek_last_error();
    if (is_fine && last != 0)
        is_fine = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    ERR_clear_error();
    return is_fine;
}

static copenssl_pair_fault read_key(copenssl_pair *pair, const void *pem, size_t count) {
    BIO *bio = reader(pem, count);
    if (bio == NULL) return COPENSSL_PAIR_KEY_UNREADABLE;
    bool was_asked = false;
    pair->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &was_asked);
    BIO_free(bio);
    ERR_clear_error();
    if (pair->key == NULL) return was_asked ? COPENSSL_PAIR_KEY_ENCRYPTED : COPENSSL_PAIR_KEY_UNREADABLE;
    bool is_its = X509_check_private_key(pair->certificate, pair->key) == 1;
    ERR_clear_error();
    return is_its ? COPENSSL_PAIR_FINE : COPENSSL_PAIR_KEY_OF_ANOTHER;
}

copenssl_pair *copenssl_pair_read(
    const void *chain, size_t chain_count, const void *key, size_t key_count, copenssl_pair_fault *fault) {
    *fault = COPENSSL_PAIR_CERTIFICATE_UNREADABLE;
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) return NULL;
    ERR_clear_error();
    copenssl_pair *pair = OPENSSL_zalloc(sizeof *pair);
    if (pair == NULL) return NULL;
    if (read_chain(pair, chain, chain_count)) *fault = read_key(pair, key, key_count);
    if (*fault == COPENSSL_PAIR_FINE) return pair;
    copenssl_pair_free(pair);
    return NULL;
}

void copenssl_pair_free(copenssl_pair *pair) {
    if (pair == NULL) return;
    X509_free(pair->certificate);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
    OPENSSL_free(pair);
}

bool copenssl_pair_use(copenssl_context *context, const copenssl_pair *pair) {
    ERR_clear_error();
    return SSL_CTX_use_cert_and_key(context, pair->certificate, pair->key, pair->chain, 1) == 1;
}

void copenssl_pairs_clear(copenssl_session *session) {
    SSL_certs_clear(session);
}

bool copenssl_pair_choose(copenssl_session *session, const copenssl_pair *pair) {
    return SSL_use_cert_and_key(session, pair->certificate, pair->key, pair->chain, 1) == 1;
}

bool copenssl_pair_fits(const copenssl_pair *pair, const char *name) {
    return X509_check_host(pair->certificate, name, strlen(name), 0, NULL) == 1;
}

int64_t copenssl_pair_expires(const copenssl_pair *pair) {
    struct tm parts;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(pair->certificate), &parts) != 1) return INT64_MAX;
    return timegm(&parts);
}
