import LinuxSystem
import TLSEngine
import TendrilCore
import TunnelProtocol

/// Frames of streams into records.
extension Lane {
    /// How many bytes of one stream leave before another has its turn.
    private var quantum: Int { limit.rate > 0 && limit.rate < 12_500_000 ? 8 * 1024 : StreamFrame.maximumData }

    /// Whether a stream that it carries has something to say.
    var hasStreamWork: Bool { streams.map { $0.carrier === self && $0.hasWork } ?? false }

    /// Adds the next thing that a stream of this lane has to say; `false` where there is nothing.
    func putStreams(at now: MonotonicTime) throws(TLSError) -> Bool {
        guard let set = streams, set.carrier === self else { return false }
        if set.owesResume {
            try putResume(of: set)
            return true
        }
        if set.owesMove {
            try putMove(of: set)
            return true
        }
        if let owed = set.takeReset() {
            try put(owed.reset, of: owed.id)
            return true
        }
        guard let stream = set.next() else { return false }
        try put(stream, of: set, at: now)
        return true
    }

    private func put(_ reset: StreamReset, of stream: UInt32) throws(TLSError) {
        let bytes = reset.bytes
        try frame(.streamReset, length: 4 + bytes.count) { span in
            StreamFrame.write(stream: stream, to: &span)
            for index in bytes.indices { span[4 + index] = bytes[index] }
        }
    }

    private func put(_ stream: Stream, of set: StreamSet, at now: MonotonicTime) throws(TLSError) {
        guard !stream.isGone else { return }
        // The peer has it somewhere else still.
        guard !stream.passage.isUnderWay else { return }
        if stream.owesOpen {
            (stream.owesOpen, stream.wasAsked) = (false, true)
            let target = stream.target.bytes
            let window = UInt32(clamping: stream.machine.tellCredit().limit)
            try frame(.streamOpen, length: StreamFrame.openHead + target.count) { span in
                StreamFrame.write(stream: stream.id, window: window, to: &span)
                for index in target.indices { span[StreamFrame.openHead + index] = target[index] }
            }
        }
        if stream.owesOpened {
            stream.owesOpened = false
            let window = UInt32(clamping: stream.machine.tellCredit().limit)
            try frame(.streamOpened, length: StreamFrame.openedLength) { span in
                StreamFrame.write(stream: stream.id, window: window, to: &span)
            }
        }
        guard !stream.awaitsResume, stream.opening == .open else { return }
        try putCredit(of: stream)
        try putData(of: stream)
        if stream.machine.owesEnd {
            let offset = stream.machine.taken
            stream.machine.sentEnd()
            try frame(.streamEnd, length: StreamFrame.endLength) { span in
                StreamFrame.write(stream: stream.id, offset: offset, to: &span)
            }
        }
        if stream.hasWork { set.requeue(stream) } else if stream.machine.isComplete { set.finished.append(stream) }
    }

    private func putCredit(of stream: Stream) throws(TLSError) {
        guard stream.machine.isCreditDue || stream.isAtLeisure else { return }
        stream.isAtLeisure = false
        let credit = stream.machine.tellCredit()
        try frame(.streamWindow, length: StreamFrame.windowLength) { span in
            StreamFrame.write(stream: stream.id, received: credit.received, limit: credit.limit, to: &span)
        }
    }

    private func putData(of stream: Stream) throws(TLSError) {
        let allowed = min(stream.machine.sendable, quantum)
        guard allowed > 0 else { return }
        let offset = Int(stream.machine.sent - stream.machine.acknowledged)
        let placed = try putInPlace(stream, from: offset, atMost: allowed)
        let count = if let placed { placed } else { try putByParts(stream, from: offset, atMost: allowed) }
        stream.machine.sent(count)
        counters.add(count, to: .streamSentBytes)
    }

    /// Sends much from where it lies, with its head right before it: one run of bytes, of which no record is the head alone.
    private func putInPlace(_ stream: Stream, from offset: Int, atMost allowed: Int) throws(TLSError) -> Int? {
        let heads = FrameHeader.byteCount + StreamFrame.dataHead
        guard allowed > Self.sharingLimit,
            let run = stream.outbox.framed(from: offset, atMost: allowed, head: heads), let start = run.baseAddress
        else { return nil }
        let memory = start.assumingMemoryBound(to: UInt8.self)
        var header = MutableSpan<UInt8>(_unsafeStart: memory, count: FrameHeader.byteCount)
        FrameHeader(kind: .streamData, length: run.count - FrameHeader.byteCount).write(to: &header)
        var head = MutableSpan<UInt8>(_unsafeStart: memory + FrameHeader.byteCount, count: StreamFrame.dataHead)
        StreamFrame.write(stream: stream.id, offset: stream.machine.sent, to: &head)
        try encryptBatch()
        try encrypt(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(run)))
        return run.count - heads
    }

    private func putByParts(_ stream: Stream, from offset: Int, atMost allowed: Int) throws(TLSError) -> Int {
        let bytes = stream.outbox.piece(from: offset, atMost: allowed)
        let position = stream.machine.sent
        try frame(.streamData, length: StreamFrame.dataHead + bytes.count, first: StreamFrame.dataHead) { span in
            StreamFrame.write(stream: stream.id, offset: position, to: &span)
        }
        try put(behindHead: bytes)
        return bytes.count
    }

    private func putResume(of set: StreamSet) throws(TLSError) {
        let count = min(set.resumes.count, StreamFrame.maximumResumeEntries)
        var entries = set.resumes.suffix(count).compactMap { set.streams[$0]?.takeEntry() }
        set.resumes.removeLast(count)
        let absent = min(set.absences.count, StreamFrame.maximumResumeEntries - count)
        entries += set.absences.suffix(absent).map(StreamFrame.ResumeEntry.init(absent:))
        set.absences.removeLast(absent)
        let isLast = set.resumes.isEmpty && set.absences.isEmpty
        try frame(.streamResume, length: 1 + entries.count * StreamFrame.resumeEntryLength) { span in
            span[0] = isLast ? 1 : 0
            Self.write(entries, behind: 1, to: &span)
        }
        if isLast { set.owesResume = false }
    }

    /// Names streams that are to go on here, or answers for those that the client has named.
    private func putMove(of set: StreamSet) throws(TLSError) {
        let (number, entries) = set.isServer ? set.takeAnswers() : set.takeNamings()
        guard !entries.isEmpty else { return }
        let length = StreamFrame.moveHead + entries.count * StreamFrame.resumeEntryLength
        try frame(.streamMove, length: length) { span in
            StreamFrame.write(number: number, to: &span)
            Self.write(entries, behind: StreamFrame.moveHead, to: &span)
        }
    }

    private static func write(
        _ entries: [StreamFrame.ResumeEntry],
        behind head: Int,
        to span: inout MutableSpan<UInt8>
    ) {
        for (index, entry) in entries.enumerated() {
            StreamFrame.write(entry, at: head + index * StreamFrame.resumeEntryLength, to: &span)
        }
    }

    /// Adds a frame of a stream to the batch: all of it, or its first `count` bytes, behind which the others follow.
    private func frame(
        _ kind: FrameHeader.Kind,
        length: Int,
        first count: Int? = nil,
        _ body: (inout MutableSpan<UInt8>) -> Void
    ) throws(TLSError) {
        let count = count ?? length
        if batch.room < FrameHeader.byteCount + count { try encryptBatch() }
        batch.fill(FrameHeader.byteCount) { FrameHeader(kind: kind, length: length).write(to: &$0) }
        batch.fill(count, body)
    }
}
