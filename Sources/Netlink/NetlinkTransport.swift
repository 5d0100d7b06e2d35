internal import CLibmnl
internal import Glibc
import LinuxSystem

/// A netlink socket that sends one request at a time and waits for the kernel's verdict.
struct NetlinkTransport: ~Copyable {
    /// NLM_F_CREATE | NLM_F_EXCL: make it, and fail where it exists.
    static var create: UInt16 { 0x400 | 0x200 }
    /// NLM_F_CREATE | NLM_F_REPLACE: make it, or put it in the place of what is there.
    static var replace: UInt16 { 0x400 | 0x100 }

    private let socket: OpaquePointer
    private let port: UInt32

    /// Opens a socket for a netlink protocol.
    init(protocol number: CInt) throws(SystemError) {
        guard let socket = mnl_socket_open2(number, CInt(SOCK_CLOEXEC.rawValue)) else {
            throw SystemError("open a netlink socket", code: errno)
        }
        guard mnl_socket_bind(socket, 0, 0) == 0 else {
            let code = errno
            mnl_socket_close(socket)
            throw SystemError("bind a netlink socket", code: code)
        }
        self.socket = socket
        port = mnl_socket_get_portid(socket)
    }

    deinit { mnl_socket_close(socket) }

    /// Sends one request and waits until the kernel has answered.
    func request(
        _ attempt: @autoclosure () -> String,
        type: UInt16,
        flags: UInt16,
        _ build: (NetlinkMessage) -> Void
    ) throws(SystemError) {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 8)
        defer { buffer.deallocate() }
        let message = NetlinkMessage(in: buffer, type: type, flags: flags | 0x1 | 0x4)  // NLM_F_REQUEST | NLM_F_ACK
        build(message)
        try exchange(attempt(), UnsafeRawPointer(buffer), count: message.length, answers: 1)
    }

    /// Sends prepared messages and reads the kernel's answers; the first refusal is thrown.
    func exchange(_ attempt: String, _ bytes: UnsafeRawPointer, count: Int, answers: Int) throws(SystemError) {
        guard mnl_socket_sendto(socket, bytes, count) >= 0 else { throw SystemError(attempt, code: errno) }
        let answer = UnsafeMutableRawPointer.allocate(byteCount: 16384, alignment: 8)
        defer { answer.deallocate() }
        var left = answers
        while left > 0 {
            let received = mnl_socket_recvfrom(socket, answer, 16384)
            guard received >= 0 else { throw SystemError(attempt, code: errno) }
            // Each datagram of acknowledgements holds one.
            guard mnl_cb_run(answer, Int(received), 0, port, nil, nil) >= 0 else {
                throw SystemError(attempt, code: errno)
            }
            left -= 1
        }
    }
}

/// A netlink message under construction in memory of the caller.
struct NetlinkMessage {
    private let header: UnsafeMutablePointer<nlmsghdr>

    init(in buffer: UnsafeMutableRawPointer, type: UInt16, flags: UInt16) {
        header = mnl_nlmsg_put_header(buffer)
        header.pointee.nlmsg_type = type
        header.pointee.nlmsg_flags = flags
        header.pointee.nlmsg_seq = 1
    }

    var length: Int { Int(header.pointee.nlmsg_len) }

    /// Adds the family's own header, zeroed.
    func extra<Header>(_ type: Header.Type) -> UnsafeMutablePointer<Header> {
        let size = MemoryLayout<Header>.size
        guard let pointer = mnl_nlmsg_put_extra_header(header, size) else { preconditionFailure("no room") }
        return pointer.assumingMemoryBound(to: Header.self)
    }

    func put(_ type: UInt16, _ value: UInt32) { mnl_attr_put_u32(header, type, value) }
    func put(_ type: UInt16, _ bytes: [UInt8]) { mnl_attr_put(header, type, bytes.count, bytes) }
    func put(_ type: UInt16, _ text: String) { mnl_attr_put_strz(header, type, text) }

    /// Adds an attribute that holds others.
    func nest(_ type: UInt16, _ build: () -> Void) {
        let start = mnl_attr_nest_start(header, type)
        build()
        mnl_attr_nest_end(header, start)
    }
}
