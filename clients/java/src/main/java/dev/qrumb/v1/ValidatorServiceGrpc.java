package dev.qrumb.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
 * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
 * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
 * what takes a look-up.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ValidatorServiceGrpc {

  private ValidatorServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "qrumb.v1.ValidatorService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateBrowserEventRequest,
      dev.qrumb.v1.ValidateBrowserEventResponse> getValidateBrowserEventMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidateBrowserEvent",
      requestType = dev.qrumb.v1.ValidateBrowserEventRequest.class,
      responseType = dev.qrumb.v1.ValidateBrowserEventResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateBrowserEventRequest,
      dev.qrumb.v1.ValidateBrowserEventResponse> getValidateBrowserEventMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateBrowserEventRequest, dev.qrumb.v1.ValidateBrowserEventResponse> getValidateBrowserEventMethod;
    if ((getValidateBrowserEventMethod = ValidatorServiceGrpc.getValidateBrowserEventMethod) == null) {
      synchronized (ValidatorServiceGrpc.class) {
        if ((getValidateBrowserEventMethod = ValidatorServiceGrpc.getValidateBrowserEventMethod) == null) {
          ValidatorServiceGrpc.getValidateBrowserEventMethod = getValidateBrowserEventMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.ValidateBrowserEventRequest, dev.qrumb.v1.ValidateBrowserEventResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidateBrowserEvent"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ValidateBrowserEventRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ValidateBrowserEventResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ValidatorServiceMethodDescriptorSupplier("ValidateBrowserEvent"))
              .build();
        }
      }
    }
    return getValidateBrowserEventMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateServerEventRequest,
      dev.qrumb.v1.ValidateServerEventResponse> getValidateServerEventMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidateServerEvent",
      requestType = dev.qrumb.v1.ValidateServerEventRequest.class,
      responseType = dev.qrumb.v1.ValidateServerEventResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateServerEventRequest,
      dev.qrumb.v1.ValidateServerEventResponse> getValidateServerEventMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.ValidateServerEventRequest, dev.qrumb.v1.ValidateServerEventResponse> getValidateServerEventMethod;
    if ((getValidateServerEventMethod = ValidatorServiceGrpc.getValidateServerEventMethod) == null) {
      synchronized (ValidatorServiceGrpc.class) {
        if ((getValidateServerEventMethod = ValidatorServiceGrpc.getValidateServerEventMethod) == null) {
          ValidatorServiceGrpc.getValidateServerEventMethod = getValidateServerEventMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.ValidateServerEventRequest, dev.qrumb.v1.ValidateServerEventResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidateServerEvent"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ValidateServerEventRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ValidateServerEventResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ValidatorServiceMethodDescriptorSupplier("ValidateServerEvent"))
              .build();
        }
      }
    }
    return getValidateServerEventMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ValidatorServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceStub>() {
        @java.lang.Override
        public ValidatorServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ValidatorServiceStub(channel, callOptions);
        }
      };
    return ValidatorServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ValidatorServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceBlockingV2Stub>() {
        @java.lang.Override
        public ValidatorServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ValidatorServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ValidatorServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ValidatorServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceBlockingStub>() {
        @java.lang.Override
        public ValidatorServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ValidatorServiceBlockingStub(channel, callOptions);
        }
      };
    return ValidatorServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ValidatorServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ValidatorServiceFutureStub>() {
        @java.lang.Override
        public ValidatorServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ValidatorServiceFutureStub(channel, callOptions);
        }
      };
    return ValidatorServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Checks the JSON text of one browser event. Answers OK, whatever the verdict.
     * </pre>
     */
    default void validateBrowserEvent(dev.qrumb.v1.ValidateBrowserEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateBrowserEventResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidateBrowserEventMethod(), responseObserver);
    }

    /**
     * <pre>
     * Checks the JSON text of one server event. Answers OK, whatever the verdict.
     * </pre>
     */
    default void validateServerEvent(dev.qrumb.v1.ValidateServerEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateServerEventResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidateServerEventMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ValidatorService.
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public static abstract class ValidatorServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ValidatorServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ValidatorService.
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public static final class ValidatorServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ValidatorServiceStub> {
    private ValidatorServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ValidatorServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ValidatorServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks the JSON text of one browser event. Answers OK, whatever the verdict.
     * </pre>
     */
    public void validateBrowserEvent(dev.qrumb.v1.ValidateBrowserEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateBrowserEventResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidateBrowserEventMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Checks the JSON text of one server event. Answers OK, whatever the verdict.
     * </pre>
     */
    public void validateServerEvent(dev.qrumb.v1.ValidateServerEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateServerEventResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidateServerEventMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ValidatorService.
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public static final class ValidatorServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ValidatorServiceBlockingV2Stub> {
    private ValidatorServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ValidatorServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ValidatorServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks the JSON text of one browser event. Answers OK, whatever the verdict.
     * </pre>
     */
    public dev.qrumb.v1.ValidateBrowserEventResponse validateBrowserEvent(dev.qrumb.v1.ValidateBrowserEventRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidateBrowserEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks the JSON text of one server event. Answers OK, whatever the verdict.
     * </pre>
     */
    public dev.qrumb.v1.ValidateServerEventResponse validateServerEvent(dev.qrumb.v1.ValidateServerEventRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidateServerEventMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ValidatorService.
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public static final class ValidatorServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ValidatorServiceBlockingStub> {
    private ValidatorServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ValidatorServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ValidatorServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks the JSON text of one browser event. Answers OK, whatever the verdict.
     * </pre>
     */
    public dev.qrumb.v1.ValidateBrowserEventResponse validateBrowserEvent(dev.qrumb.v1.ValidateBrowserEventRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidateBrowserEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks the JSON text of one server event. Answers OK, whatever the verdict.
     * </pre>
     */
    public dev.qrumb.v1.ValidateServerEventResponse validateServerEvent(dev.qrumb.v1.ValidateServerEventRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidateServerEventMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ValidatorService.
   * <pre>
   * ValidatorService checks the JSON text of an event more strictly than collecting does and stores nothing.
   * Collecting ignores unknown fields, as JSON over protobuf does; here each is a violation that names the
   * nearest known field. Meant for development and tests. Anybody may call it; without a key of the site, the row lacks
   * what takes a look-up.
   * </pre>
   */
  public static final class ValidatorServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ValidatorServiceFutureStub> {
    private ValidatorServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ValidatorServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ValidatorServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks the JSON text of one browser event. Answers OK, whatever the verdict.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.ValidateBrowserEventResponse> validateBrowserEvent(
        dev.qrumb.v1.ValidateBrowserEventRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidateBrowserEventMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Checks the JSON text of one server event. Answers OK, whatever the verdict.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.ValidateServerEventResponse> validateServerEvent(
        dev.qrumb.v1.ValidateServerEventRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidateServerEventMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_VALIDATE_BROWSER_EVENT = 0;
  private static final int METHODID_VALIDATE_SERVER_EVENT = 1;

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
        case METHODID_VALIDATE_BROWSER_EVENT:
          serviceImpl.validateBrowserEvent((dev.qrumb.v1.ValidateBrowserEventRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateBrowserEventResponse>) responseObserver);
          break;
        case METHODID_VALIDATE_SERVER_EVENT:
          serviceImpl.validateServerEvent((dev.qrumb.v1.ValidateServerEventRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.ValidateServerEventResponse>) responseObserver);
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
          getValidateBrowserEventMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.ValidateBrowserEventRequest,
              dev.qrumb.v1.ValidateBrowserEventResponse>(
                service, METHODID_VALIDATE_BROWSER_EVENT)))
        .addMethod(
          getValidateServerEventMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.ValidateServerEventRequest,
              dev.qrumb.v1.ValidateServerEventResponse>(
                service, METHODID_VALIDATE_SERVER_EVENT)))
        .build();
  }

  private static abstract class ValidatorServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ValidatorServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.qrumb.v1.ValidatorServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ValidatorService");
    }
  }

  private static final class ValidatorServiceFileDescriptorSupplier
      extends ValidatorServiceBaseDescriptorSupplier {
    ValidatorServiceFileDescriptorSupplier() {}
  }

  private static final class ValidatorServiceMethodDescriptorSupplier
      extends ValidatorServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ValidatorServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ValidatorServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ValidatorServiceFileDescriptorSupplier())
              .addMethod(getValidateBrowserEventMethod())
              .addMethod(getValidateServerEventMethod())
              .build();
        }
      }
    }
    return result;
  }
}
