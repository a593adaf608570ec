package dev.qrumb.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
 * Registering needs a key of the site with the scope collect, reading one with the scope query.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ScanSessionServiceGrpc {

  private ScanSessionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "qrumb.v1.ScanSessionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.RegisterScanSessionRequest,
      dev.qrumb.v1.RegisterScanSessionResponse> getRegisterScanSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RegisterScanSession",
      requestType = dev.qrumb.v1.RegisterScanSessionRequest.class,
      responseType = dev.qrumb.v1.RegisterScanSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.RegisterScanSessionRequest,
      dev.qrumb.v1.RegisterScanSessionResponse> getRegisterScanSessionMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.RegisterScanSessionRequest, dev.qrumb.v1.RegisterScanSessionResponse> getRegisterScanSessionMethod;
    if ((getRegisterScanSessionMethod = ScanSessionServiceGrpc.getRegisterScanSessionMethod) == null) {
      synchronized (ScanSessionServiceGrpc.class) {
        if ((getRegisterScanSessionMethod = ScanSessionServiceGrpc.getRegisterScanSessionMethod) == null) {
          ScanSessionServiceGrpc.getRegisterScanSessionMethod = getRegisterScanSessionMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.RegisterScanSessionRequest, dev.qrumb.v1.RegisterScanSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RegisterScanSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.RegisterScanSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.RegisterScanSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScanSessionServiceMethodDescriptorSupplier("RegisterScanSession"))
              .build();
        }
      }
    }
    return getRegisterScanSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.BatchRegisterScanSessionsRequest,
      dev.qrumb.v1.BatchRegisterScanSessionsResponse> getBatchRegisterScanSessionsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "BatchRegisterScanSessions",
      requestType = dev.qrumb.v1.BatchRegisterScanSessionsRequest.class,
      responseType = dev.qrumb.v1.BatchRegisterScanSessionsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.BatchRegisterScanSessionsRequest,
      dev.qrumb.v1.BatchRegisterScanSessionsResponse> getBatchRegisterScanSessionsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.BatchRegisterScanSessionsRequest, dev.qrumb.v1.BatchRegisterScanSessionsResponse> getBatchRegisterScanSessionsMethod;
    if ((getBatchRegisterScanSessionsMethod = ScanSessionServiceGrpc.getBatchRegisterScanSessionsMethod) == null) {
      synchronized (ScanSessionServiceGrpc.class) {
        if ((getBatchRegisterScanSessionsMethod = ScanSessionServiceGrpc.getBatchRegisterScanSessionsMethod) == null) {
          ScanSessionServiceGrpc.getBatchRegisterScanSessionsMethod = getBatchRegisterScanSessionsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.BatchRegisterScanSessionsRequest, dev.qrumb.v1.BatchRegisterScanSessionsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "BatchRegisterScanSessions"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchRegisterScanSessionsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchRegisterScanSessionsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScanSessionServiceMethodDescriptorSupplier("BatchRegisterScanSessions"))
              .build();
        }
      }
    }
    return getBatchRegisterScanSessionsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.GetScanSessionRequest,
      dev.qrumb.v1.GetScanSessionResponse> getGetScanSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetScanSession",
      requestType = dev.qrumb.v1.GetScanSessionRequest.class,
      responseType = dev.qrumb.v1.GetScanSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.GetScanSessionRequest,
      dev.qrumb.v1.GetScanSessionResponse> getGetScanSessionMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.GetScanSessionRequest, dev.qrumb.v1.GetScanSessionResponse> getGetScanSessionMethod;
    if ((getGetScanSessionMethod = ScanSessionServiceGrpc.getGetScanSessionMethod) == null) {
      synchronized (ScanSessionServiceGrpc.class) {
        if ((getGetScanSessionMethod = ScanSessionServiceGrpc.getGetScanSessionMethod) == null) {
          ScanSessionServiceGrpc.getGetScanSessionMethod = getGetScanSessionMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.GetScanSessionRequest, dev.qrumb.v1.GetScanSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetScanSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetScanSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetScanSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScanSessionServiceMethodDescriptorSupplier("GetScanSession"))
              .build();
        }
      }
    }
    return getGetScanSessionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ScanSessionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceStub>() {
        @java.lang.Override
        public ScanSessionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScanSessionServiceStub(channel, callOptions);
        }
      };
    return ScanSessionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ScanSessionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceBlockingV2Stub>() {
        @java.lang.Override
        public ScanSessionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScanSessionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ScanSessionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ScanSessionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceBlockingStub>() {
        @java.lang.Override
        public ScanSessionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScanSessionServiceBlockingStub(channel, callOptions);
        }
      };
    return ScanSessionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ScanSessionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScanSessionServiceFutureStub>() {
        @java.lang.Override
        public ScanSessionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScanSessionServiceFutureStub(channel, callOptions);
        }
      };
    return ScanSessionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Registers one scan session. Idempotent: the same session again changes nothing.
     * </pre>
     */
    default void registerScanSession(dev.qrumb.v1.RegisterScanSessionRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.RegisterScanSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRegisterScanSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Registers up to 1,000 scan sessions, all or none.
     * </pre>
     */
    default void batchRegisterScanSessions(dev.qrumb.v1.BatchRegisterScanSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchRegisterScanSessionsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBatchRegisterScanSessionsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns one scan session, or NOT_FOUND.
     * </pre>
     */
    default void getScanSession(dev.qrumb.v1.GetScanSessionRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetScanSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetScanSessionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ScanSessionService.
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public static abstract class ScanSessionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ScanSessionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ScanSessionService.
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public static final class ScanSessionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ScanSessionServiceStub> {
    private ScanSessionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScanSessionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScanSessionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers one scan session. Idempotent: the same session again changes nothing.
     * </pre>
     */
    public void registerScanSession(dev.qrumb.v1.RegisterScanSessionRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.RegisterScanSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRegisterScanSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Registers up to 1,000 scan sessions, all or none.
     * </pre>
     */
    public void batchRegisterScanSessions(dev.qrumb.v1.BatchRegisterScanSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchRegisterScanSessionsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBatchRegisterScanSessionsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns one scan session, or NOT_FOUND.
     * </pre>
     */
    public void getScanSession(dev.qrumb.v1.GetScanSessionRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetScanSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetScanSessionMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ScanSessionService.
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public static final class ScanSessionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ScanSessionServiceBlockingV2Stub> {
    private ScanSessionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScanSessionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScanSessionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers one scan session. Idempotent: the same session again changes nothing.
     * </pre>
     */
    public dev.qrumb.v1.RegisterScanSessionResponse registerScanSession(dev.qrumb.v1.RegisterScanSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRegisterScanSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Registers up to 1,000 scan sessions, all or none.
     * </pre>
     */
    public dev.qrumb.v1.BatchRegisterScanSessionsResponse batchRegisterScanSessions(dev.qrumb.v1.BatchRegisterScanSessionsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBatchRegisterScanSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns one scan session, or NOT_FOUND.
     * </pre>
     */
    public dev.qrumb.v1.GetScanSessionResponse getScanSession(dev.qrumb.v1.GetScanSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetScanSessionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ScanSessionService.
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public static final class ScanSessionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ScanSessionServiceBlockingStub> {
    private ScanSessionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScanSessionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScanSessionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers one scan session. Idempotent: the same session again changes nothing.
     * </pre>
     */
    public dev.qrumb.v1.RegisterScanSessionResponse registerScanSession(dev.qrumb.v1.RegisterScanSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRegisterScanSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Registers up to 1,000 scan sessions, all or none.
     * </pre>
     */
    public dev.qrumb.v1.BatchRegisterScanSessionsResponse batchRegisterScanSessions(dev.qrumb.v1.BatchRegisterScanSessionsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBatchRegisterScanSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns one scan session, or NOT_FOUND.
     * </pre>
     */
    public dev.qrumb.v1.GetScanSessionResponse getScanSession(dev.qrumb.v1.GetScanSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetScanSessionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ScanSessionService.
   * <pre>
   * ScanSessionService keeps the scan sessions. A session may be registered before or after its events.
   * Registering needs a key of the site with the scope collect, reading one with the scope query.
   * </pre>
   */
  public static final class ScanSessionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ScanSessionServiceFutureStub> {
    private ScanSessionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScanSessionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScanSessionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers one scan session. Idempotent: the same session again changes nothing.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.RegisterScanSessionResponse> registerScanSession(
        dev.qrumb.v1.RegisterScanSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRegisterScanSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Registers up to 1,000 scan sessions, all or none.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.BatchRegisterScanSessionsResponse> batchRegisterScanSessions(
        dev.qrumb.v1.BatchRegisterScanSessionsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBatchRegisterScanSessionsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns one scan session, or NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.GetScanSessionResponse> getScanSession(
        dev.qrumb.v1.GetScanSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetScanSessionMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_REGISTER_SCAN_SESSION = 0;
  private static final int METHODID_BATCH_REGISTER_SCAN_SESSIONS = 1;
  private static final int METHODID_GET_SCAN_SESSION = 2;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_REGISTER_SCAN_SESSION:
          serviceImpl.registerScanSession((dev.qrumb.v1.RegisterScanSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.RegisterScanSessionResponse>) responseObserver);
          break;
        case METHODID_BATCH_REGISTER_SCAN_SESSIONS:
          serviceImpl.batchRegisterScanSessions((dev.qrumb.v1.BatchRegisterScanSessionsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchRegisterScanSessionsResponse>) responseObserver);
          break;
        case METHODID_GET_SCAN_SESSION:
          serviceImpl.getScanSession((dev.qrumb.v1.GetScanSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.GetScanSessionResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getRegisterScanSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.RegisterScanSessionRequest,
              dev.qrumb.v1.RegisterScanSessionResponse>(
                service, METHODID_REGISTER_SCAN_SESSION)))
        .addMethod(
          getBatchRegisterScanSessionsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.BatchRegisterScanSessionsRequest,
              dev.qrumb.v1.BatchRegisterScanSessionsResponse>(
                service, METHODID_BATCH_REGISTER_SCAN_SESSIONS)))
        .addMethod(
          getGetScanSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.GetScanSessionRequest,
              dev.qrumb.v1.GetScanSessionResponse>(
                service, METHODID_GET_SCAN_SESSION)))
        .build();
  }

  private static abstract class ScanSessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ScanSessionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.qrumb.v1.ScanSessionServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ScanSessionService");
    }
  }

  private static final class ScanSessionServiceFileDescriptorSupplier
      extends ScanSessionServiceBaseDescriptorSupplier {
    ScanSessionServiceFileDescriptorSupplier() {}
  }

  private static final class ScanSessionServiceMethodDescriptorSupplier
      extends ScanSessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ScanSessionServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (ScanSessionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ScanSessionServiceFileDescriptorSupplier())
              .addMethod(getRegisterScanSessionMethod())
              .addMethod(getBatchRegisterScanSessionsMethod())
              .addMethod(getGetScanSessionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
