#pragma once
#include <sqlite3.h>

/// Whether closing the connection leaves the write-ahead log as it is. A variadic function of SQLite, which Swift
/// cannot call.
static inline int csqlite_keep_log(sqlite3 *database, int keeps) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps, (int *)0);
}
