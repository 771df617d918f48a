//! A fixed-size allocator.
const std = @import("std");

pub const page_size: usize = 4096;
var total: usize = 0;

/// What can go wrong.
pub const Error = error{ OutOfMemory, Corrupt };

/// Blocks of one size.
pub const Pool = struct {
    free: ?*Node = null,
    count: usize = 0,

    const Node = struct { next: ?*Node };

    pub fn init() Pool {
        return .{};
    }

    /// Take a block, or null when there is none.
    pub fn take(self: *Pool) ?*Node {
        const node = self.free orelse return null;
        self.free = node.next;
        self.count -= 1;
        return node;
    }
};

pub const Mode = enum { fast, safe };

const Value = union(enum) {
    int: i64,
    text: []const u8,
};

pub fn List(comptime T: type) type {
    return struct {
        items: []T,

        pub fn len(self: @This()) usize {
            return self.items.len;
        }
    };
}

// Round up to whole pages.
pub fn align_up(size: usize) usize {
    const pages = (size + page_size - 1) / page_size;
    total += pages;
    if (pages == 0) {
        return page_size;
    }
    var result: usize = 0;
    var i: usize = 0;
    while (i < pages) : (i += 1) {
        result += page_size;
    }
    return result;
}

test "take from an empty pool" {
    var pool = Pool.init();
    try std.testing.expect(pool.take() == null);
}
