package dev.qrumb.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
 * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
 * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
 * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
 * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
 * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class CollectorServiceGrpc {

  private CollectorServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "qrumb.v1.CollectorService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.CollectBrowserEventRequest,
      dev.qrumb.v1.CollectBrowserEventResponse> getCollectBrowserEventMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CollectBrowserEvent",
      requestType = dev.qrumb.v1.CollectBrowserEventRequest.class,
      responseType = dev.qrumb.v1.CollectBrowserEventResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.CollectBrowserEventRequest,
      dev.qrumb.v1.CollectBrowserEventResponse> getCollectBrowserEventMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.CollectBrowserEventRequest, dev.qrumb.v1.CollectBrowserEventResponse> getCollectBrowserEventMethod;
    if ((getCollectBrowserEventMethod = CollectorServiceGrpc.getCollectBrowserEventMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getCollectBrowserEventMethod = CollectorServiceGrpc.getCollectBrowserEventMethod) == null) {
          CollectorServiceGrpc.getCollectBrowserEventMethod = getCollectBrowserEventMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.CollectBrowserEventRequest, dev.qrumb.v1.CollectBrowserEventResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CollectBrowserEvent"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CollectBrowserEventRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CollectBrowserEventResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("CollectBrowserEvent"))
              .build();
        }
      }
    }
    return getCollectBrowserEventMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectBrowserEventsRequest,
      dev.qrumb.v1.BatchCollectBrowserEventsResponse> getBatchCollectBrowserEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "BatchCollectBrowserEvents",
      requestType = dev.qrumb.v1.BatchCollectBrowserEventsRequest.class,
      responseType = dev.qrumb.v1.BatchCollectBrowserEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectBrowserEventsRequest,
      dev.qrumb.v1.BatchCollectBrowserEventsResponse> getBatchCollectBrowserEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectBrowserEventsRequest, dev.qrumb.v1.BatchCollectBrowserEventsResponse> getBatchCollectBrowserEventsMethod;
    if ((getBatchCollectBrowserEventsMethod = CollectorServiceGrpc.getBatchCollectBrowserEventsMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getBatchCollectBrowserEventsMethod = CollectorServiceGrpc.getBatchCollectBrowserEventsMethod) == null) {
          CollectorServiceGrpc.getBatchCollectBrowserEventsMethod = getBatchCollectBrowserEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.BatchCollectBrowserEventsRequest, dev.qrumb.v1.BatchCollectBrowserEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "BatchCollectBrowserEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchCollectBrowserEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchCollectBrowserEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("BatchCollectBrowserEvents"))
              .build();
        }
      }
    }
    return getBatchCollectBrowserEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.CollectServerEventRequest,
      dev.qrumb.v1.CollectServerEventResponse> getCollectServerEventMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CollectServerEvent",
      requestType = dev.qrumb.v1.CollectServerEventRequest.class,
      responseType = dev.qrumb.v1.CollectServerEventResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.CollectServerEventRequest,
      dev.qrumb.v1.CollectServerEventResponse> getCollectServerEventMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.CollectServerEventRequest, dev.qrumb.v1.CollectServerEventResponse> getCollectServerEventMethod;
    if ((getCollectServerEventMethod = CollectorServiceGrpc.getCollectServerEventMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getCollectServerEventMethod = CollectorServiceGrpc.getCollectServerEventMethod) == null) {
          CollectorServiceGrpc.getCollectServerEventMethod = getCollectServerEventMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.CollectServerEventRequest, dev.qrumb.v1.CollectServerEventResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CollectServerEvent"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CollectServerEventRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CollectServerEventResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("CollectServerEvent"))
              .build();
        }
      }
    }
    return getCollectServerEventMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectServerEventsRequest,
      dev.qrumb.v1.BatchCollectServerEventsResponse> getBatchCollectServerEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "BatchCollectServerEvents",
      requestType = dev.qrumb.v1.BatchCollectServerEventsRequest.class,
      responseType = dev.qrumb.v1.BatchCollectServerEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectServerEventsRequest,
      dev.qrumb.v1.BatchCollectServerEventsResponse> getBatchCollectServerEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.BatchCollectServerEventsRequest, dev.qrumb.v1.BatchCollectServerEventsResponse> getBatchCollectServerEventsMethod;
    if ((getBatchCollectServerEventsMethod = CollectorServiceGrpc.getBatchCollectServerEventsMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getBatchCollectServerEventsMethod = CollectorServiceGrpc.getBatchCollectServerEventsMethod) == null) {
          CollectorServiceGrpc.getBatchCollectServerEventsMethod = getBatchCollectServerEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.BatchCollectServerEventsRequest, dev.qrumb.v1.BatchCollectServerEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "BatchCollectServerEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchCollectServerEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.BatchCollectServerEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("BatchCollectServerEvents"))
              .build();
        }
      }
    }
    return getBatchCollectServerEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.StreamServerEventsRequest,
      dev.qrumb.v1.StreamServerEventsResponse> getStreamServerEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamServerEvents",
      requestType = dev.qrumb.v1.StreamServerEventsRequest.class,
      responseType = dev.qrumb.v1.StreamServerEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.StreamServerEventsRequest,
      dev.qrumb.v1.StreamServerEventsResponse> getStreamServerEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.StreamServerEventsRequest, dev.qrumb.v1.StreamServerEventsResponse> getStreamServerEventsMethod;
    if ((getStreamServerEventsMethod = CollectorServiceGrpc.getStreamServerEventsMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getStreamServerEventsMethod = CollectorServiceGrpc.getStreamServerEventsMethod) == null) {
          CollectorServiceGrpc.getStreamServerEventsMethod = getStreamServerEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.StreamServerEventsRequest, dev.qrumb.v1.StreamServerEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamServerEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.StreamServerEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.StreamServerEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("StreamServerEvents"))
              .build();
        }
      }
    }
    return getStreamServerEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.CollectPixelRequest,
      com.google.api.HttpBody> getCollectPixelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CollectPixel",
      requestType = dev.qrumb.v1.CollectPixelRequest.class,
      responseType = com.google.api.HttpBody.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.CollectPixelRequest,
      com.google.api.HttpBody> getCollectPixelMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.CollectPixelRequest, com.google.api.HttpBody> getCollectPixelMethod;
    if ((getCollectPixelMethod = CollectorServiceGrpc.getCollectPixelMethod) == null) {
      synchronized (CollectorServiceGrpc.class) {
        if ((getCollectPixelMethod = CollectorServiceGrpc.getCollectPixelMethod) == null) {
          CollectorServiceGrpc.getCollectPixelMethod = getCollectPixelMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.CollectPixelRequest, com.google.api.HttpBody>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CollectPixel"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CollectPixelRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  com.google.api.HttpBody.getDefaultInstance()))
              .setSchemaDescriptor(new CollectorServiceMethodDescriptorSupplier("CollectPixel"))
              .build();
        }
      }
    }
    return getCollectPixelMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static CollectorServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CollectorServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CollectorServiceStub>() {
        @java.lang.Override
        public CollectorServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CollectorServiceStub(channel, callOptions);
        }
      };
    return CollectorServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static CollectorServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CollectorServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CollectorServiceBlockingV2Stub>() {
        @java.lang.Override
        public CollectorServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CollectorServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return CollectorServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static CollectorServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CollectorServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CollectorServiceBlockingStub>() {
        @java.lang.Override
        public CollectorServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CollectorServiceBlockingStub(channel, callOptions);
        }
      };
    return CollectorServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static CollectorServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CollectorServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CollectorServiceFutureStub>() {
        @java.lang.Override
        public CollectorServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CollectorServiceFutureStub(channel, callOptions);
        }
      };
    return CollectorServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Takes one browser event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    default void collectBrowserEvent(dev.qrumb.v1.CollectBrowserEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectBrowserEventResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCollectBrowserEventMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes up to 1,000 browser events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    default void batchCollectBrowserEvents(dev.qrumb.v1.BatchCollectBrowserEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectBrowserEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBatchCollectBrowserEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes one server event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    default void collectServerEvent(dev.qrumb.v1.CollectServerEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectServerEventResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCollectServerEventMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes up to 1,000 server events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    default void batchCollectServerEvents(dev.qrumb.v1.BatchCollectServerEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectServerEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBatchCollectServerEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes server events one after another and answers with their receipts in the same order, several at a time.
     * gRPC only. The service reads no further while too many receipts are outstanding, so a sender that does not
     * read is slowed down by flow control.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<dev.qrumb.v1.StreamServerEventsRequest> streamServerEvents(
        io.grpc.stub.StreamObserver<dev.qrumb.v1.StreamServerEventsResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getStreamServerEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes one browser event from the query of an image's address and answers with a transparent GIF of one
     * pixel, for pages where no script runs.
     * buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
     * </pre>
     */
    default void collectPixel(dev.qrumb.v1.CollectPixelRequest request,
        io.grpc.stub.StreamObserver<com.google.api.HttpBody> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCollectPixelMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service CollectorService.
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public static abstract class CollectorServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return CollectorServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service CollectorService.
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public static final class CollectorServiceStub
      extends io.grpc.stub.AbstractAsyncStub<CollectorServiceStub> {
    private CollectorServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CollectorServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CollectorServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Takes one browser event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public void collectBrowserEvent(dev.qrumb.v1.CollectBrowserEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectBrowserEventResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCollectBrowserEventMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes up to 1,000 browser events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public void batchCollectBrowserEvents(dev.qrumb.v1.BatchCollectBrowserEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectBrowserEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBatchCollectBrowserEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes one server event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public void collectServerEvent(dev.qrumb.v1.CollectServerEventRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectServerEventResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCollectServerEventMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes up to 1,000 server events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public void batchCollectServerEvents(dev.qrumb.v1.BatchCollectServerEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectServerEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBatchCollectServerEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes server events one after another and answers with their receipts in the same order, several at a time.
     * gRPC only. The service reads no further while too many receipts are outstanding, so a sender that does not
     * read is slowed down by flow control.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<dev.qrumb.v1.StreamServerEventsRequest> streamServerEvents(
        io.grpc.stub.StreamObserver<dev.qrumb.v1.StreamServerEventsResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getStreamServerEventsMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Takes one browser event from the query of an image's address and answers with a transparent GIF of one
     * pixel, for pages where no script runs.
     * buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
     * </pre>
     */
    public void collectPixel(dev.qrumb.v1.CollectPixelRequest request,
        io.grpc.stub.StreamObserver<com.google.api.HttpBody> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCollectPixelMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service CollectorService.
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public static final class CollectorServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<CollectorServiceBlockingV2Stub> {
    private CollectorServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CollectorServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CollectorServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Takes one browser event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public dev.qrumb.v1.CollectBrowserEventResponse collectBrowserEvent(dev.qrumb.v1.CollectBrowserEventRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCollectBrowserEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 browser events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public dev.qrumb.v1.BatchCollectBrowserEventsResponse batchCollectBrowserEvents(dev.qrumb.v1.BatchCollectBrowserEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBatchCollectBrowserEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes one server event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public dev.qrumb.v1.CollectServerEventResponse collectServerEvent(dev.qrumb.v1.CollectServerEventRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCollectServerEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 server events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public dev.qrumb.v1.BatchCollectServerEventsResponse batchCollectServerEvents(dev.qrumb.v1.BatchCollectServerEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBatchCollectServerEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes server events one after another and answers with their receipts in the same order, several at a time.
     * gRPC only. The service reads no further while too many receipts are outstanding, so a sender that does not
     * read is slowed down by flow control.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<dev.qrumb.v1.StreamServerEventsRequest, dev.qrumb.v1.StreamServerEventsResponse>
        streamServerEvents() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getStreamServerEventsMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Takes one browser event from the query of an image's address and answers with a transparent GIF of one
     * pixel, for pages where no script runs.
     * buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
     * </pre>
     */
    public com.google.api.HttpBody collectPixel(dev.qrumb.v1.CollectPixelRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCollectPixelMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service CollectorService.
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public static final class CollectorServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<CollectorServiceBlockingStub> {
    private CollectorServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CollectorServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CollectorServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Takes one browser event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public dev.qrumb.v1.CollectBrowserEventResponse collectBrowserEvent(dev.qrumb.v1.CollectBrowserEventRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCollectBrowserEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 browser events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public dev.qrumb.v1.BatchCollectBrowserEventsResponse batchCollectBrowserEvents(dev.qrumb.v1.BatchCollectBrowserEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBatchCollectBrowserEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes one server event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public dev.qrumb.v1.CollectServerEventResponse collectServerEvent(dev.qrumb.v1.CollectServerEventRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCollectServerEventMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 server events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public dev.qrumb.v1.BatchCollectServerEventsResponse batchCollectServerEvents(dev.qrumb.v1.BatchCollectServerEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBatchCollectServerEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes one browser event from the query of an image's address and answers with a transparent GIF of one
     * pixel, for pages where no script runs.
     * buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
     * </pre>
     */
    public com.google.api.HttpBody collectPixel(dev.qrumb.v1.CollectPixelRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCollectPixelMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service CollectorService.
   * <pre>
   * CollectorService takes events in. An outcome ACCEPTED means that the event is on disk.
   * Errors are google.rpc.Status with details: INVALID_ARGUMENT with BadRequest and ErrorInfo for a request that
   * breaks a rule; RESOURCE_EXHAUSTED with RetryInfo (and retry-after) where the caller should come back later.
   * Server events need a key of their site with the scope collect, as the metadata authorization: Bearer; else
   * UNAUTHENTICATED or PERMISSION_DENIED. Browser events need none: their site must be known, and the page's origin, where the
   * browser states it, one of the site's; else PERMISSION_DENIED. A call is refused as a whole, with ErrorInfo.
   * </pre>
   */
  public static final class CollectorServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<CollectorServiceFutureStub> {
    private CollectorServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CollectorServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CollectorServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Takes one browser event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.CollectBrowserEventResponse> collectBrowserEvent(
        dev.qrumb.v1.CollectBrowserEventRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCollectBrowserEventMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 browser events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.BatchCollectBrowserEventsResponse> batchCollectBrowserEvents(
        dev.qrumb.v1.BatchCollectBrowserEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBatchCollectBrowserEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes one server event. A rejected event is the error INVALID_ARGUMENT, with every broken rule.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.CollectServerEventResponse> collectServerEvent(
        dev.qrumb.v1.CollectServerEventRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCollectServerEventMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes up to 1,000 server events. Answers OK with one receipt per event, in the same order, rejected ones
     * included. The accepted ones are made durable together, before the answer.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.BatchCollectServerEventsResponse> batchCollectServerEvents(
        dev.qrumb.v1.BatchCollectServerEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBatchCollectServerEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes one browser event from the query of an image's address and answers with a transparent GIF of one
     * pixel, for pages where no script runs.
     * buf:lint:ignore RPC_RESPONSE_STANDARD_NAME
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<com.google.api.HttpBody> collectPixel(
        dev.qrumb.v1.CollectPixelRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCollectPixelMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_COLLECT_BROWSER_EVENT = 0;
  private static final int METHODID_BATCH_COLLECT_BROWSER_EVENTS = 1;
  private static final int METHODID_COLLECT_SERVER_EVENT = 2;
  private static final int METHODID_BATCH_COLLECT_SERVER_EVENTS = 3;
  private static final int METHODID_COLLECT_PIXEL = 4;
  private static final int METHODID_STREAM_SERVER_EVENTS = 5;

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
        case METHODID_COLLECT_BROWSER_EVENT:
          serviceImpl.collectBrowserEvent((dev.qrumb.v1.CollectBrowserEventRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectBrowserEventResponse>) responseObserver);
          break;
        case METHODID_BATCH_COLLECT_BROWSER_EVENTS:
          serviceImpl.batchCollectBrowserEvents((dev.qrumb.v1.BatchCollectBrowserEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectBrowserEventsResponse>) responseObserver);
          break;
        case METHODID_COLLECT_SERVER_EVENT:
          serviceImpl.collectServerEvent((dev.qrumb.v1.CollectServerEventRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.CollectServerEventResponse>) responseObserver);
          break;
        case METHODID_BATCH_COLLECT_SERVER_EVENTS:
          serviceImpl.batchCollectServerEvents((dev.qrumb.v1.BatchCollectServerEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.BatchCollectServerEventsResponse>) responseObserver);
          break;
        case METHODID_COLLECT_PIXEL:
          serviceImpl.collectPixel((dev.qrumb.v1.CollectPixelRequest) request,
              (io.grpc.stub.StreamObserver<com.google.api.HttpBody>) responseObserver);
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
        case METHODID_STREAM_SERVER_EVENTS:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.streamServerEvents(
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.StreamServerEventsResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getCollectBrowserEventMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.CollectBrowserEventRequest,
              dev.qrumb.v1.CollectBrowserEventResponse>(
                service, METHODID_COLLECT_BROWSER_EVENT)))
        .addMethod(
          getBatchCollectBrowserEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.BatchCollectBrowserEventsRequest,
              dev.qrumb.v1.BatchCollectBrowserEventsResponse>(
                service, METHODID_BATCH_COLLECT_BROWSER_EVENTS)))
        .addMethod(
          getCollectServerEventMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.CollectServerEventRequest,
              dev.qrumb.v1.CollectServerEventResponse>(
                service, METHODID_COLLECT_SERVER_EVENT)))
        .addMethod(
          getBatchCollectServerEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.BatchCollectServerEventsRequest,
              dev.qrumb.v1.BatchCollectServerEventsResponse>(
                service, METHODID_BATCH_COLLECT_SERVER_EVENTS)))
        .addMethod(
          getStreamServerEventsMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              dev.qrumb.v1.StreamServerEventsRequest,
              dev.qrumb.v1.StreamServerEventsResponse>(
                service, METHODID_STREAM_SERVER_EVENTS)))
        .addMethod(
          getCollectPixelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.CollectPixelRequest,
              com.google.api.HttpBody>(
                service, METHODID_COLLECT_PIXEL)))
        .build();
  }

  private static abstract class CollectorServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    CollectorServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.qrumb.v1.CollectorServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("CollectorService");
    }
  }

  private static final class CollectorServiceFileDescriptorSupplier
      extends CollectorServiceBaseDescriptorSupplier {
    CollectorServiceFileDescriptorSupplier() {}
  }

  private static final class CollectorServiceMethodDescriptorSupplier
      extends CollectorServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    CollectorServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (CollectorServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new CollectorServiceFileDescriptorSupplier())
              .addMethod(getCollectBrowserEventMethod())
              .addMethod(getBatchCollectBrowserEventsMethod())
              .addMethod(getCollectServerEventMethod())
              .addMethod(getBatchCollectServerEventsMethod())
              .addMethod(getStreamServerEventsMethod())
              .addMethod(getCollectPixelMethod())
              .build();
        }
      }
    }
    return result;
  }
}
