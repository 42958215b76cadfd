#include "secure.h"

#include <limits.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

bool copenssl_has_certificate(const copenssl_session *session) {
    return SSL_get0_peer_certificate(session) != NULL;
}

/// Any of ASN.1's kinds of text, as UTF-8.
static long copied(const ASN1_STRING *text, uint8_t *name, size_t room) {
    unsigned char *bytes = NULL;
    int count = ASN1_STRING_to_UTF8(&bytes, text);
    ERR_clear_error();
    if (count < 0) return -1;
    long result = (size_t)count <= room ? count : -1;
    if (result > 0) memcpy(name, bytes, (size_t)count);
    OPENSSL_free(bytes);
    return result;
}

static long common_name(X509 *certificate, uint8_t *name, size_t room) {
    X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return 0;
    return copied(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)), name, room);
}

static long whole_subject(X509 *certificate, uint8_t *name, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return -1;
    long result = -1;
    char *text = NULL;
    if (X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        long count = BIO_get_mem_data(bio, &text);
        if (count >= 0 && (size_t)count <= room) {
            memcpy(name, text, (size_t)count);
            result = count;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
    return result;
}

static long alternative_name(X509 *certificate, int type, uint8_t *name, size_t room) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    if (names == NULL) return 0;
    long result = 0;
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, index);
        if (one->type != type) continue;
        result = copied(one->d.ia5, name, room);
        break;
    }
    GENERAL_NAMES_free(names);
    return result;
}

long copenssl_peer_name(const copenssl_session *session, copenssl_name_kind kind, uint8_t *name, size_t room) {
    X509 *certificate = SSL_get0_peer_certificate(session);
    if (certificate == NULL) return 0;
    switch (kind) {
    case COPENSSL_NAME_COMMON: return common_name(certificate, name, room);
    case COPENSSL_NAME_SUBJECT: return whole_subject(certificate, name, room);
    case COPENSSL_NAME_DNS: return alternative_name(certificate, GEN_DNS, name, room);
    case COPENSSL_NAME_URI: return alternative_name(certificate, GEN_URI, name, room);
    case COPENSSL_NAME_EMAIL: return alternative_name(certificate, GEN_EMAIL, name, room);
    }
    return 0;
}

// TLS 1.3 does not tell by which identity a session came about, so we note the one whose key was given.

static void free_identity(
    void *parent, void *identity, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)argument;
    OPENSSL_free(identity);
}

static CRYPTO_ONCE identity_once = CRYPTO_ONCE_STATIC_INIT;
static int identity_index = -1;

static void make_identity_index(void) {
    identity_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_identity);
}

void copenssl_note_identity(copenssl_session *session, const char *identity) {
    if (CRYPTO_THREAD_run_once(&identity_once, make_identity_index) != 1 || identity_index < 0) return;
    char *before = SSL_get_ex_data(session, identity_index);
    char *copy = OPENSSL_strdup(identity);
    if (SSL_set_ex_data(session, identity_index, copy) == 1) {
        OPENSSL_free(before);
    } else {
        OPENSSL_free(copy);
    }
}

const char *copenssl_peer_identity(const copenssl_session *session) {
    if (identity_index < 0) return NULL;
    // A key that was asked for need not be the one that was used: a certificate may have been.
    bool is_used = SSL_version(session) == TLS1_3_VERSION ? SSL_session_reused(session) == 1
                                                         : SSL_get_psk_identity(session) != NULL;
    return is_used ? SSL_get_ex_data(session, identity_index) : NULL;
}
